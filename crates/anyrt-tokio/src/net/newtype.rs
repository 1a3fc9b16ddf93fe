//! A socket as a type of this crate.

/// Conversions between a newtype and the inner type.
macro_rules! newtype {
    ($outer:ident, $inner:ty) => {
        impl $outer {
            /// Returns Tokio's own type.
            pub fn as_inner(&self) -> &$inner {
                &self.0
            }

            /// Returns Tokio's own type, mutable.
            pub fn as_inner_mut(&mut self) -> &mut $inner {
                &mut self.0
            }

            /// Converts into Tokio's own type.
            pub fn into_inner(self) -> $inner {
                self.0
            }
        }

        impl From<$inner> for $outer {
            fn from(inner: $inner) -> Self {
                Self(inner)
            }
        }
    };
}
pub(super) use newtype;
