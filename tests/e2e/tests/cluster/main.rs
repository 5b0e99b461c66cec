//! The tests on the local cluster. They share it, so they run one after the other (`--test-threads=1`), ordered by their paths:
//! what wires the mesh comes last, because `refusals` sorts before `wiring`.

mod contract;
mod refusals;
mod states;
mod virtual_machines;
mod wiring;
