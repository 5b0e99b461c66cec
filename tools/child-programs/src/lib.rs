//! Programs that a tool starts, watches and ends. None of them outlives the tool, not even when it is killed.
//!
//! A tool has a hidden subcommand with [`supervised::Options`]: a child begins as the tool itself, asks the kernel to die with its
//! parent, and then becomes the program.

pub mod child_program;
pub mod supervised;
