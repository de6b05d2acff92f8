//! Closed lists of label values.

/// Declares an enum whose variants are label values, with `ALL` of them in order and `label()`.
macro_rules! label_values {
    ($(#[$attribute:meta])* $visibility:vis enum $name:ident {
        $($(#[$variant_attribute:meta])* $variant:ident = $label:literal,)+
    }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visibility enum $name { $($(#[$variant_attribute])* $variant,)+ }

        impl $name {
            $visibility const ALL: [Self; [$($label),+].len()] = [$(Self::$variant),+];

            $visibility const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }
    };
}

pub(crate) use label_values;
