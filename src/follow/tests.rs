mod bases;
mod doubts;
mod fold;
mod following;
mod forks;
mod stale;
mod view;
