//! The Rust programs of the pages, as doctests: `cargo test -p anyrt-pages`.
#![forbid(unsafe_code)]

macro_rules! pages {
    ($($name:ident $file:literal)*) => {$(
        #[cfg(doctest)]
        #[doc = include_str!(concat!("../../../", $file))]
        mod $name {}
    )*};
}

pages! {
    readme "README.md"
    readme_zh "README.zh-CN.md"
}
