mod bases;
mod fold;
mod following;
