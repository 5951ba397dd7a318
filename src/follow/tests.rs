mod bases;
mod fold;
mod following;
mod forks;
