//! `tollgate`: the commands are not there yet.

fn main() {}
