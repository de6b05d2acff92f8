//! The part of a long list that one page has.

use super::parameters::Parameters;

/// `offset` and `limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub offset: usize,
    pub limit: usize,
    /// The limit of a request without one.
    default: usize,
    /// The highest limit.
    max: usize,
}

impl Window {
    pub fn new(default: usize, max: usize) -> Self {
        Self { offset: 0, limit: default, default, max }
    }

    /// The elements of this part.
    pub fn of<'l, T>(&self, list: &'l [T]) -> &'l [T] {
        let start = self.offset.min(list.len());
        &list[start..start.saturating_add(self.limit).min(list.len())]
    }

    /// The part that begins at this element.
    #[must_use]
    pub fn at(self, offset: usize) -> Self {
        Self { offset, ..self }
    }

    /// The next part of a list of this length.
    pub fn next(self, total: usize) -> Option<Self> {
        let offset = self.offset.saturating_add(self.limit);
        (self.limit > 0 && offset < total).then(|| self.at(offset))
    }

    /// The previous part of a list of this length; beyond its last element, the last part.
    pub fn previous(self, total: usize) -> Option<Self> {
        (self.limit > 0 && self.offset > 0).then(|| self.at(self.offset.min(total).saturating_sub(self.limit)))
    }

    /// The last part of a list of this length, in steps of the limit from its beginning.
    #[must_use]
    pub fn last(self, total: usize) -> Self {
        self.at(total.saturating_sub(1).checked_div(self.limit).unwrap_or_default() * self.limit)
    }
}

impl Parameters for Window {
    fn names(&self) -> &'static [&'static str] {
        &["offset", "limit"]
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Ok(());
        }
        let number = value.parse().map_err(|_| format!("`{value}` is not a whole number"))?;
        match name {
            "offset" => self.offset = number,
            _ if number <= self.max => self.limit = number,
            _ => return Err(format!("at most {}; use `offset` for the rest", self.max)),
        }
        Ok(())
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        let offset = (self.offset != 0).then(|| ("offset", self.offset.to_string()));
        let limit = (self.limit != self.default).then(|| ("limit", self.limit.to_string()));
        offset.into_iter().chain(limit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_moves_through_a_list_and_stays_in_it() {
        let list: Vec<u32> = (0..10).collect();
        let first = Window::new(4, 100);
        assert_eq!(first.of(&list), [0, 1, 2, 3]);
        assert_eq!(first.previous(10), None);
        let second = first.next(10).map(|window| window.offset);
        assert_eq!((second, first.at(4).next(10).map(|window| window.offset)), (Some(4), Some(8)));
        assert_eq!(first.at(8).next(10), None);
        assert_eq!((first.at(8).of(&list), first.last(10).offset), (&[8, 9][..], 8));
        assert_eq!(first.at(2).previous(10).map(|window| window.offset), Some(0));
        assert_eq!(first.at(99).previous(10).map(|window| window.offset), Some(6), "after the end");
        assert_eq!((first.at(99).of(&list).len(), first.last(0).offset, first.last(4).offset), (0, 0, 0));
        let none = Window { limit: 0, ..first };
        assert_eq!(
            (none.of(&list).len(), none.next(10), none.at(1).previous(10), none.last(10).offset),
            (0, None, None, 0)
        );
        assert!(Window { limit: usize::MAX, ..first.at(1) }.next(10).is_none(), "no overflow");
    }
}
