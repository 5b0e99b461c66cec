//! The collector as its clients see it: real streams over loopback, real ports.

mod bad_streams;
mod running;
mod streams;
