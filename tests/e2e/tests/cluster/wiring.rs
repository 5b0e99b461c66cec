//! The tests that wire the real mesh: each begins with one that is not wired, and comes back to it.

mod golden;
mod killed;
mod mesh;
mod story;
mod upgrades;
