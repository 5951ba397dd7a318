//! The same work for many items, on all processors.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Does the same for each item, on all processors. The calling thread begins at once, since waking others
/// takes as long as a part of the work.
pub(in crate::log) fn parallel_map<T: Sync, R: Send + Sync>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if items.len() < 2 {
        return items.iter().map(work).collect();
    }
    let (next, done): (_, Vec<_>) = (AtomicUsize::new(0), items.iter().map(|_| OnceLock::new()).collect());
    let run = || {
        while let Some((item, done)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| items.get(at).zip(done.get(at))) {
            let _ = done.set(work(item));
        }
    };
    rayon::in_place_scope(|scope| {
        (1..rayon::current_num_threads().min(items.len())).for_each(|_| scope.spawn(|_| run()));
        run();
    });
    done.into_iter().filter_map(OnceLock::into_inner).collect()
}
