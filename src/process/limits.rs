//! What the system lets this process do: keys must not end up in a core dump, and every connection takes a descriptor.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Set to anything, it leaves core dumps as the system has them: for debugging, where no real keys are.
pub const CORE_DUMPS: &str = "TOLLGATE_CORE_DUMPS";

/// Descriptors for everything that is neither a callback's connection nor one made for it: a quarter of all, within these.
const LEAST_OWN: u64 = 64;
const MOST_OWN: u64 = 512;

/// Switches core dumps off, and lets no user but root read this process's memory: keys are in it. A system that does
/// not let it has its own reasons, and the gate runs all the same.
pub fn keep_memory_private() {
    if std::env::var_os(CORE_DUMPS).is_some() {
        return;
    }
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // A handler named in kernel.core_pattern is called whatever the limit is.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Takes as many descriptors as the system would let it have.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused the limit stays as it was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// How many of `wanted` connections can be let in, and said so if those are fewer: one that sends callbacks may need another
/// to the upstream or to WeChat Pay, and the journal and the admin listener need some whatever happens (threat R-04).
#[must_use]
pub fn connections(wanted: usize) -> usize {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return wanted };
    let most = connections_of(limit);
    if most < wanted {
        tracing::warn!(
            limits_connections = wanted,
            open_files = limit,
            at_most = most,
            "the system gives too few open files for limits.connections; fewer connections are let in: raise the hard \
             limit (LimitNOFILE=, ulimit -Hn), or lower limits.connections"
        );
    }
    wanted.min(most)
}

/// How many connections these descriptors are enough for.
fn connections_of(files: u64) -> usize {
    let own = (files / 4).clamp(LEAST_OWN, MOST_OWN);
    usize::try_from(files.saturating_sub(own) / 2).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_descriptors_are_nobodys() {
        for (files, connections) in [(256, 96), (1024, 384), (16_896, 8192), (1 << 20, (1 << 19) - 256), (10, 1)] {
            assert_eq!(connections_of(files), connections, "{files}");
        }
    }
}
