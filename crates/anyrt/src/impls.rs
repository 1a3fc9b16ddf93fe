//! Methods and implementations that several types have.

/// Methods that pass their arguments to the method of the same name of a field, and return `self`.
macro_rules! setters {
    ($field:ident:) => {};
    (
        $field:ident: $(#[$attribute:meta])*
        pub fn $name:ident $(<$($T:ident: $bound:path),+>)? (&mut $self:ident $(, $argument:ident: $type:ty)*)
        -> &mut Self; $($rest:tt)*
    ) => {
        $(#[$attribute])*
        pub fn $name $(<$($T: $bound),+>)? (&mut $self $(, $argument: $type)*) -> &mut Self {
            $self.$field.$name($($argument),*);
            $self
        }
        setters! { $field: $($rest)* }
    };
}

/// At most, a panic interrupts a system call, which has either happened or not; a runtime stays
/// usable after a caught panic, as in Tokio.
macro_rules! unwind_safe {
    ($($type:ty),* $(; $T:ident: $($generic:ty),*)?) => {
        $(
            impl std::panic::UnwindSafe for $type {}
            impl std::panic::RefUnwindSafe for $type {}
        )*
        $($(
            impl<$T> std::panic::UnwindSafe for $generic {}
            impl<$T> std::panic::RefUnwindSafe for $generic {}
        )*)?
    };
}

/// Shows the names of types, and none of their fields.
macro_rules! opaque_debug {
    ($($Type:ident $(<$lifetime:lifetime>)?),* $(; $T:ident: $($Generic:ident),*)?) => {
        $(
            impl std::fmt::Debug for $Type $(<$lifetime>)? {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.debug_struct(stringify!($Type)).finish_non_exhaustive()
                }
            }
        )*
        $($(
            impl<$T> std::fmt::Debug for $Generic<$T> {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.debug_struct(stringify!($Generic)).finish_non_exhaustive()
                }
            }
        )*)?
    };
}
