//! What is large is boxed before it goes through the layers of a `spawn`.

/// How many bytes are large. async-task boxes a future from the same size on, so none is boxed twice.
pub const LARGE: usize = 2048;

/// Evaluates an expression with a future, or a job, that is in a [`Box`] if it is [`LARGE`].
///
/// Without optimization each function on the way holds copies of what it passes on, and a future with a buffer of 64 KiB
/// in it overflows the stack of a worker. Tokio does the same for the same reason. `executor::Tasks` and
/// `executor::Engine::block_on` do it; use it where more layers lie before them.
///
/// ```
/// # fn start<F: Future>(future: F) {}
/// fn begin<F: Future>(future: F) {
///     anyrt_core::boxed_if_large!(future: F = Box::pin(future) => start(future))
/// }
/// # begin(async {});
/// ```
#[macro_export]
macro_rules! boxed_if_large {
    ($value:ident: $type:ty = $boxed:expr => $then:expr) => {
        if const { ::std::mem::size_of::<$type>() >= $crate::LARGE } {
            let $value = $boxed;
            $then
        } else {
            $then
        }
    };
}
