/* A disk that fails as it is told, in front of libc (LD_PRELOAD). It acts on the journal's two files alone.
 *
 * TOLLGATE_DISK names a file with one word, read at each call:
 *   fsync-eio          every fsync fails; what was written before is on no disk and, as on Linux, clean from then on
 *   fsync-eio-once     the next one, and then never again
 *   enospc             every write fails
 *   hold-writes        writes to the log wait until the word is gone
 *   kill-before-write  the process dies on its next write to the log
 *   kill-before-fsync  it dies on the next fsync of a commit: written, not synced
 *   kill-after-fsync   it dies when that has succeeded: synced, and nobody knows
 *
 * Beside each file, FILE.disk is what a power cut would leave of it: what was written and then synced.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(result, name, ...)                                                                                        \
    static result (*real)(__VA_ARGS__);                                                                                \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, name)

enum { MAIN, LOG, FILES };

/* What of a file was written and not synced. A process begins with everything: it knows nothing of the one before. */
static struct {
    int begun, all;
    size_t count;
    struct { off_t from, to; } ranges[65536];
} dirty[FILES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int ends_with(const char *path, const char *end) {
    size_t length = strlen(path), tail = strlen(end);
    return length >= tail && !strcmp(path + length - tail, end);
}

/* Which of the two files this is, and its path; or -1. */
static int which(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return -1;
    path[length] = 0;
    return ends_with(path, ".db") ? MAIN : ends_with(path, ".db-wal") ? LOG : -1;
}

static int told(const char *word) {
    char line[64] = "";
    const char *control = getenv("TOLLGATE_DISK");
    int fd = control ? open(control, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return 0;
    ssize_t length = read(fd, line, sizeof line - 1);
    close(fd);
    return length > 0 && !strcmp(line, word);
}

static void once(void) { truncate(getenv("TOLLGATE_DISK"), 0); }

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static void begin(int file) {
    if (!dirty[file].begun) dirty[file].begun = dirty[file].all = 1;
}

static void wrote(int file, off_t from, off_t to) {
    pthread_mutex_lock(&lock);
    begin(file);
    size_t count = dirty[file].count;
    if (count && dirty[file].ranges[count - 1].to == from) {
        dirty[file].ranges[count - 1].to = to;
    } else if (count < sizeof dirty[file].ranges / sizeof *dirty[file].ranges) {
        dirty[file].ranges[count].from = from;
        dirty[file].ranges[count].to = to;
        dirty[file].count++;
    } else {
        dirty[file].all = 1;
    }
    pthread_mutex_unlock(&lock);
}

static void copy(int from, int to, off_t at, off_t end) {
    char page[65536];
    while (at < end) {
        size_t want = end - at < (off_t)sizeof page ? (size_t)(end - at) : sizeof page;
        ssize_t got = pread(from, page, want, at);
        if (got <= 0) return;
        for (ssize_t put = 0, step; put < got; put += step) {
            /* write, which this file leaves alone */
            if (lseek(to, at + put, SEEK_SET) < 0 || (step = write(to, page + put, got - put)) <= 0) abort();
        }
        at += got;
    }
}

/* Brings what is dirty to the disk, or forgets it. The file is read by SQLite's own handle, since closing another one
 * would drop SQLite's locks. */
static void clean(int file, int fd, const char *path, int reached) {
    char disk[PATH_MAX + 8];
    snprintf(disk, sizeof disk, "%s.disk", path);
    pthread_mutex_lock(&lock);
    begin(file);
    if (reached) {
        int to = open(disk, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        struct stat size;
        if (to < 0 || fstat(fd, &size)) abort();
        if (dirty[file].all) copy(fd, to, 0, size.st_size);
        for (size_t i = 0; i < dirty[file].count; i++)
            copy(fd, to, dirty[file].ranges[i].from, dirty[file].ranges[i].to);
        close(to);
    }
    dirty[file].all = 0;
    dirty[file].count = 0;
    pthread_mutex_unlock(&lock);
}

/* Whether a commit is to be synced, and not only the log's header. */
static int commits(int file) {
    int more = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < dirty[file].count; i++) more |= dirty[file].ranges[i].to > 32;
    pthread_mutex_unlock(&lock);
    return file == LOG && more;
}

static int sync_file(int fd, int (*real)(int)) {
    char path[PATH_MAX];
    int file = which(fd, path);
    if (file < 0) return real(fd);
    int fails_once = told("fsync-eio-once");
    if (fails_once) once();
    if (fails_once || told("fsync-eio")) {
        clean(file, fd, path, 0);
        errno = EIO;
        return -1;
    }
    int commit = commits(file);
    if (commit && told("kill-before-fsync")) die();
    int result = real(fd);
    if (result == 0) clean(file, fd, path, 1);
    if (commit && told("kill-after-fsync")) die();
    return result;
}

int fsync(int fd) {
    REAL(int, "fsync", int);
    return sync_file(fd, real);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    return sync_file(fd, real);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    char path[PATH_MAX];
    int file = which(fd, path);
    if (file < 0) return real(fd, bytes, count, at);
    if (told("enospc")) {
        errno = ENOSPC;
        return -1;
    }
    if (file == LOG && told("kill-before-write")) die();
    while (file == LOG && told("hold-writes")) usleep(1000);
    ssize_t result = real(fd, bytes, count, at);
    if (result > 0) wrote(file, at, at + result);
    return result;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return pwrite64(fd, bytes, count, at); }

int ftruncate64(int fd, off64_t length) {
    REAL(int, "ftruncate64", int, off64_t);
    char path[PATH_MAX], disk[PATH_MAX + 8];
    int result = real(fd, length);
    if (result == 0 && which(fd, path) >= 0) {
        snprintf(disk, sizeof disk, "%s.disk", path);
        truncate(disk, length);
    }
    return result;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    char disk[PATH_MAX + 8];
    snprintf(disk, sizeof disk, "%s.disk", path);
    if (ends_with(path, ".db-wal")) real(disk);
    return real(path);
}
