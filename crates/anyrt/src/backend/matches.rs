//! The enums of backends in types and matches: which type a value has on each enabled backend, and one
//! arm per backend.

/// The type of a value of one of the enabled backends: `one_of!(net::TcpStream)`, or of
/// `EachPinned` after `pinned`. Parameters of a type without values precede a semicolon:
/// `one_of!(T; task::JoinHandle<T>)`.
macro_rules! one_of {
    (pinned $($path:tt)+) => { enabled! { one_of_type! (EachPinned [$($path)+] [()]) } };
    ($marker:ty; $($path:tt)+) => { enabled! { one_of_type! (Each [$($path)+] [$marker]) } };
    ($($path:tt)+) => { enabled! { one_of_type! (Each [$($path)+] [()]) } };
}
macro_rules! one_of_type {
    (($Enum:ident $path:tt [$marker:ty])) => { $crate::backend::$Enum<$marker> };
    (($Enum:ident $path:tt $marker:tt) $(($Variant:ident $module:ident))+) => {
        $crate::backend::$Enum<$(item_of! { $module $path }),+>
    };
}
macro_rules! item_of {
    ($module:ident [$($path:tt)+]) => { $crate::backend::$module::$($path)+ };
}

/// The match: evaluates the expression with the value of the backend. With a name before the
/// pattern, the expression can use the backend's module under that name.
macro_rules! each {
    ($value:expr, $pattern:pat => $result:expr) => { each!($value, module, $pattern => $result) };
    ($value:expr, $module:ident, $pattern:pat => $result:expr) => {
        enabled! { arms! ([$value] [$module] Each [$pattern] Plain [$result]) }
    };
}

/// Evaluates an expression with a future or a job, which is moved to a [`Box`] if it is large and
/// the build is not optimized. In such a build each arm of a match has its own copy of the operand,
/// and a few copies of 64 KiB fill a worker's stack.
macro_rules! boxed_for_match {
    ($value:ident: $type:ty = $boxed:expr => $then:expr) => {
        if const { cfg!(debug_assertions) && size_of::<$type>() >= anyrt_core::LARGE } {
            let $value = $boxed;
            $then
        } else {
            $then
        }
    };
}

/// Like [`each!`]. The result is a value of the same backend.
macro_rules! map_each {
    ($value:expr, $pattern:pat => $result:expr) => { map_each!($value, module, $pattern => $result) };
    ($value:expr, $module:ident, $pattern:pat => $result:expr) => {
        enabled! { arms! ([$value] [$module] Each [$pattern] Each [$result]) }
    };
}

/// Like [`map_each!`], into an [`EachPinned`].
macro_rules! pin_each {
    ($value:expr, $module:ident, $pattern:pat => $result:expr) => {
        enabled! { arms! ([$value] [$module] Each [$pattern] EachPinned [$result]) }
    };
}

/// Like [`map_each!`], for an expression that returns a pair, into a pair.
macro_rules! pair_each {
    ($value:expr, $pattern:pat => $result:expr) => {
        enabled! { arms! ([$value] [module] Each [$pattern] Pair [$result]) }
    };
}

/// Like [`each!`], for an [`EachPinned`] or its projection.
macro_rules! each_pinned {
    ($Enum:ident, $value:expr, $module:ident, $pattern:pat => $result:expr) => {
        enabled! { arms! ([$value] [$module] $Enum [$pattern] Plain [$result]) }
    };
}

/// Matches two values, the second of the named enum: the first expression if both belong to the
/// same backend, or else the second one.
macro_rules! each_pair {
    (
        $first:expr, $Enum:ident $second:expr,
        $module:ident, ($one:pat, $other:pat) => $same:expr, else $differ:expr
    ) => {
        enabled! { pair_arms! ([$first] [$second] [$module] $Enum [$one] [$other] Plain [$same] [$differ]) }
    };
}

/// Matches two values of the same backend. The result is a value of that backend.
macro_rules! map_pair {
    ($first:expr, $second:expr, $module:ident, ($one:pat, $other:pat) => $result:expr) => {
        enabled! {
            pair_arms! (
                [$first] [$second] [$module] Each [$one] [$other] Each [$result]
                [unreachable!("both are of one backend")]
            )
        }
    };
}

/// Methods that call the method of the same name of the backend's value in the field `inner`.
macro_rules! forward {
    () => {};
    (
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident $(<$T:ident: $bound:path>)? (&$self:ident $(, $argument:ident: $type:ty)*) $(-> $result:ty)?;
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        $visibility fn $name $(<$T: $bound>)? (&$self $(, $argument: $type)*) $(-> $result)? {
            each!(&$self.inner, inner => inner.$name($($argument),*))
        }
        forward! { $($rest)* }
    };
    (
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident(&mut $self:ident $(, $argument:ident: $type:ty)*) $(-> $result:ty)?;
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        $visibility fn $name(&mut $self $(, $argument: $type)*) $(-> $result)? {
            each!(&mut $self.inner, inner => inner.$name($($argument),*))
        }
        forward! { $($rest)* }
    };
    (
        $(#[$attribute:meta])*
        $visibility:vis async fn $name:ident $(<$T:ident: $bound:path>)? (&$self:ident $(, $argument:ident: $type:ty)*) -> $result:ty;
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        $visibility async fn $name $(<$T: $bound>)? (&$self $(, $argument: $type)*) -> $result {
            each!(&$self.inner, inner => inner.$name($($argument),*).await)
        }
        forward! { $($rest)* }
    };
}

macro_rules! arms {
    (([$value:expr] $alias:tt $From:ident $pattern:tt $Into:ident $result:tt)) => {
        match $value { no_value!($From never) => never.reached() }
    };
    (
        ([$value:expr] [$alias:ident] $From:ident [$pattern:pat] $Into:ident [$result:expr])
        $(($Variant:ident $module:ident))+
    ) => {
        match $value {$(
            arm!($From $Variant [$pattern]) => {
                #[allow(unused_imports, reason = "not every expression needs it")]
                use $crate::backend::$module as $alias;
                made!($Into $Variant [$result])
            }
        )+}
    };
}
macro_rules! pair_arms {
    (([$first:expr] $second:tt $alias:tt $Enum:ident $one:tt $other:tt $Into:ident $same:tt $differ:tt)) => {
        match $first { no_value!(Each never) => never.reached() }
    };
    (
        (
            [$first:expr] [$second:expr] [$alias:ident] $Enum:ident [$one:pat] [$other:pat]
            $Into:ident [$same:expr] [$differ:expr]
        )
        $(($Variant:ident $module:ident))+
    ) => {
        match ($first, $second) {
            $((arm!(Each $Variant [$one]), arm!($Enum $Variant [$other])) => {
                #[allow(unused_imports, reason = "not every expression needs it")]
                use $crate::backend::$module as $alias;
                made!($Into $Variant [$same])
            })+
            #[allow(unreachable_patterns, reason = "where one backend is enabled")]
            _ => $differ,
        }
    };
}
macro_rules! arm {
    (Each $Variant:ident [$inner:pat]) => {
        $crate::backend::Each::$Variant($inner)
    };
    ($Pinned:ident $Variant:ident [$inner:pat]) => {
        $crate::backend::$Pinned::$Variant { value: $inner }
    };
}
macro_rules! made {
    (Plain $Variant:ident [$inner:expr]) => {
        $inner
    };
    (Each $Variant:ident [$inner:expr]) => {
        $crate::backend::Each::$Variant($inner)
    };
    (Pair $Variant:ident [$inner:expr]) => {{
        let (one, other) = $inner;
        (
            $crate::backend::Each::$Variant(one),
            $crate::backend::Each::$Variant(other),
        )
    }};
    (EachPinned $Variant:ident [$inner:expr]) => {
        $crate::backend::EachPinned::$Variant { value: $inner }
    };
}
macro_rules! no_value {
    (Each $never:ident) => {
        $crate::backend::Each::None($never, _)
    };
    ($Pinned:ident $never:ident) => {
        $crate::backend::$Pinned::None { never: $never, .. }
    };
}

/// Evaluates the expression for the kind of the current runtime, whose module it can use under the
/// name. Panics if none is current. The result is an [`Each`].
macro_rules! on_current {
    ($alias:ident => $result:expr) => {
        map_each!($crate::backend::entered($crate::backend::Current::find()), $alias, () => $result)
    };
}

/// The type with that name of the first enabled backend. For values see [`with_first!`].
macro_rules! first_type {
    ($($path:tt)+) => { enabled! { first_path! ([$($path)+]) } };
}
macro_rules! first_path {
    (($path:tt)) => {
        $crate::backend::Never
    };
    (($path:tt) ($Variant:ident $module:ident) $($rest:tt)*) => {
        item_of! { $module $path }
    };
}
/// Evaluates the expression with a value of the first enabled backend.
macro_rules! with_first {
    ($value:expr, $pattern:pat => $result:expr) => {
        in_first!(
            backend => { let $pattern = $value; $result },
            else ($value).reached()
        )
    };
}
/// Evaluates the expression for the first enabled backend, or else the other one.
macro_rules! in_first {
    ($alias:ident => $result:expr, else $none:expr) => {
        enabled! { in_first_steps! ([$alias] [$result] [$none]) }
    };
}
macro_rules! in_first_steps {
    (($alias:tt $result:tt [$none:expr])) => {
        $none
    };
    (([$alias:ident] [$result:expr] $none:tt) ($Variant:ident $module:ident) $($rest:tt)*) => {{
        #[allow(unused_imports, reason = "not every expression needs it")]
        use $crate::backend::$module as $alias;
        $result
    }};
}
