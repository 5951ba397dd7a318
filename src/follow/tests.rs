mod bases;
mod doubts;
mod fold;
mod following;
mod forks;
mod view;
