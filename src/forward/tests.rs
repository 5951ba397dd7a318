mod clones;
mod faults;
mod machine;
mod message;
mod support;
