//! Equal filters as one: clients with the same filter share what is worked out for it.

use crate::filter::Filter;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};
use weak_table::WeakHashSet;

/// The filters in use.
#[derive(Debug, Default)]
pub(in crate::server) struct Filters(Mutex<WeakHashSet<Weak<Filter>>>);

impl Filters {
    /// The one `Arc` of all filters equal to this one.
    pub(in crate::server) fn shared(&self, filter: Filter) -> Arc<Filter> {
        let mut known = self.0.lock();
        known.get(&filter).unwrap_or_else(|| {
            let filter = Arc::new(filter);
            known.insert(Arc::clone(&filter));
            filter
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_filters_are_one_while_in_use() {
        let filters = Filters::default();
        let die = || Filter::from_params(Some(r#"{"event":["die"]}"#), None).unwrap();
        let first = filters.shared(die());
        assert!(Arc::ptr_eq(&first, &filters.shared(die())));
        assert!(!Arc::ptr_eq(&first, &filters.shared(Filter::default())));
        drop(first);
        filters.0.lock().remove_expired();
        assert!(filters.0.lock().is_empty());
    }
}
