//! A map for keys that no sender chooses: names of the configuration, and digests.

use std::collections::HashMap;

/// Hashes with a seed of this process, in a fraction of the time that the standard library's takes. It does not stand
/// against somebody who chooses keys and measures how long each takes, as that one does.
pub type QuickHash = foldhash::fast::RandomState;

/// See [`QuickHash`].
pub type QuickMap<K, V> = HashMap<K, V, QuickHash>;
