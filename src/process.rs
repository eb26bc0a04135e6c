//! What the system lets this process do: keys must not end up in a core dump, and every connection takes a descriptor.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Set to anything, it leaves core dumps as the system has them: for debugging, where no real keys are.
pub const CORE_DUMPS: &str = "TOLLGATE_CORE_DUMPS";

/// Descriptors for everything that is neither a callback's connection nor one made for it.
const OWN: u64 = 128;

/// Switches core dumps off, and lets nobody but root look into this process's memory: keys are in it. A system that does
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

/// Takes as many descriptors as the system would let it have, and gives back how many those are; `None` is no limit.
pub fn raise_file_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused the limit stays as it was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current
}

/// How many descriptors this many connections need: each may have one to the upstream or to WeChat Pay.
#[must_use]
pub fn files_for(connections: usize) -> u64 {
    (connections as u64).saturating_mul(2).saturating_add(OWN)
}

/// Says so if `limits.connections` needs more descriptors than there are.
pub fn warn_if_few_files(limit: Option<u64>, connections: usize) {
    let needed = files_for(connections);
    if let Some(limit) = limit.filter(|limit| *limit < needed) {
        tracing::warn!(
            limit,
            needed,
            connections,
            "limits.connections may need more open files than the system gives: raise the hard limit (LimitNOFILE=, \
             ulimit -Hn), or lower limits.connections"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_in_may_have_one_out() {
        assert_eq!(files_for(8192), 2 * 8192 + OWN);
    }
}
