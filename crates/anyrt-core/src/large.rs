//! Boxes large futures before they pass through the layers of a `spawn`.

/// The size in bytes from which a future is large. async-task boxes futures from the same size on,
/// so none is boxed twice.
pub const LARGE: usize = 2048;

/// Evaluates an expression with a future or a job, which is put in a [`Box`] if it is [`LARGE`].
///
/// Without optimization each function on the way holds copies of its arguments, and a future with a
/// buffer of 64 KiB overflows the stack of a worker. Tokio does the same for the same reason.
/// `executor::Tasks` and `executor::Engine::block_on` use it; use it where further layers come
/// before them.
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
