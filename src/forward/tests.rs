mod burst;
mod clones;
mod closing;
mod faults;
mod machine;
mod message;
mod support;
