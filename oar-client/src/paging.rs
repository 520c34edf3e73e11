//! Walking the pages of a list that may change meanwhile.
//!
//! Rows leave OAR's live list while it is read, and every later row then moves up: plain offsets would
//! skip jobs. So each page starts with the last row of the page before. If that row is not there, the
//! list moved, and the walk starts again with larger pages.

use crate::query::Page;

/// A row of a list ordered by id.
pub(crate) trait Row {
    /// The row's id.
    fn id(&self) -> u64;
}

/// What to do after a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask for the page at [`Walk::offset`].
    More,
    /// All rows are there.
    Done,
    /// The list moved; its length when last seen.
    Moved(u64),
}

/// A walk over the pages of one list.
pub(crate) struct Walk<T> {
    rows: Vec<T>,
    first: u64,
    limit: u64,
}

impl<T: Row> Walk<T> {
    /// A walk from the row `first` with pages of `limit` rows (at least 2, as pages overlap by one).
    pub(crate) fn new(first: u64, limit: u64) -> Walk<T> {
        Walk { rows: Vec::new(), first, limit: limit.max(2) }
    }

    /// Rows per page.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Where the next page starts: at the last row known.
    pub(crate) fn offset(&self) -> u64 {
        self.first + (self.rows.len() as u64).saturating_sub(1)
    }

    /// Takes a page; `None` stands for "past the end".
    pub(crate) fn take(&mut self, page: Option<Page<T>>) -> Step {
        let asked = self.offset();
        let Some(page) = page else {
            return match self.rows.len() as u64 {
                0 => Step::Done,
                known => Step::Moved(known),
            };
        };
        let (total, count) = (page.total, page.items.len() as u64);
        let mut items = page.items.into_iter();
        if let Some(last) = self.rows.last()
            && items.next().map(|row| row.id()) != Some(last.id())
        {
            return Step::Moved(total);
        }
        let known = self.rows.len();
        self.rows.extend(items);
        let fresh = self.rows.len() > known;
        // A server that caps the page size sends short pages although more rows exist.
        let more = count >= self.limit || total > asked + count;
        if fresh && more { Step::More } else { Step::Done }
    }

    /// The rows, after [`Step::Done`].
    pub(crate) fn into_rows(self) -> Vec<T> {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Row for u64 {
        fn id(&self) -> u64 {
            *self
        }
    }

    fn page(total: u64, items: impl IntoIterator<Item = u64>) -> Option<Page<u64>> {
        let items = items.into_iter().collect();
        Some(Page { total, items })
    }

    #[test]
    fn a_short_page_ends_the_walk() {
        let mut walk = Walk::new(0, 3);
        assert_eq!(walk.offset(), 0);
        assert_eq!(walk.take(page(4, 1..=3)), Step::More);
        assert_eq!(walk.offset(), 2);
        assert_eq!(walk.take(page(4, 3..=4)), Step::Done);
        assert_eq!(walk.into_rows(), [1, 2, 3, 4]);
    }

    #[test]
    fn a_list_that_ends_with_a_full_page_is_looked_at_once_more() {
        let mut walk = Walk::new(0, 3);
        assert_eq!(walk.take(page(3, 1..=3)), Step::More);
        assert_eq!(walk.take(page(3, [3])), Step::Done);
        assert_eq!(walk.into_rows(), [1, 2, 3]);
    }

    #[test]
    fn an_empty_list_and_a_start_past_the_end_are_empty() {
        assert_eq!(Walk::<u64>::new(0, 3).take(page(0, [])), Step::Done);
        assert_eq!(Walk::<u64>::new(9, 3).take(None), Step::Done);
    }

    #[test]
    fn rows_that_moved_up_are_noticed() {
        let mut walk = Walk::new(0, 3);
        walk.take(page(5, 1..=3));
        // Job 1 ended: the row at offset 2 is now job 4.
        assert_eq!(walk.take(page(4, 4..=5)), Step::Moved(4));
    }

    #[test]
    fn a_list_that_shrank_below_the_offset_is_noticed() {
        let mut walk = Walk::new(0, 3);
        walk.take(page(4, 1..=3));
        assert_eq!(walk.take(None), Step::Moved(3));
    }

    #[test]
    fn a_server_that_caps_the_page_size_is_read_to_the_end() {
        let mut walk = Walk::new(0, 100);
        assert_eq!(walk.take(page(3, 1..=2)), Step::More);
        assert_eq!(walk.take(page(3, 2..=3)), Step::Done);
        assert_eq!(walk.into_rows(), [1, 2, 3]);
    }

    #[test]
    fn a_total_that_counts_too_much_does_not_loop() {
        let mut walk = Walk::new(0, 100);
        assert_eq!(walk.take(page(9, 1..=2)), Step::More);
        assert_eq!(walk.take(page(9, [2])), Step::Done);
    }
}
