//! Runtimes that the application has started by itself.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::OnceLock;
use std::task::{Context, Poll};

use anyrt_core::coop as core_coop;
use pin_project_lite::pin_project;

use super::{Backend, Handle};
use crate::backend::{self, Current};
use crate::task::coop;

static DEFAULT: OnceLock<Handle> = OnceLock::new();

macro_rules! from_handles {
    (() $(($Variant:ident $module:ident))*) => {$(
        impl From<$crate::backend::$module::Handle> for Handle {
            fn from(runtime: $crate::backend::$module::Handle) -> Self {
                Self {
                    inner: $crate::backend::Each::$Variant(runtime),
                }
            }
        }
    )*};
}
enabled!(from_handles!());

impl Handle {
    /// Makes this the current runtime on all threads that have no other one, for the rest of the
    /// process.
    ///
    /// Intended for an application that starts a runtime by itself and uses libraries on anyrt. A
    /// runtime that anyrt has entered, a Tokio runtime and an async-std task take precedence.
    ///
    /// # Errors
    /// Returns [`DefaultIsSet`], which names the existing default, on any further call.
    ///
    /// # Examples
    /// ```
    /// # anyrt::__if_smol! {{
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    /// use anyrt::runtime::Handle;
    ///
    /// // The application's own Smol.
    /// let executor = Arc::new(smol::Executor::new());
    /// Handle::from(anyrt_smol::SmolRuntime::on(Arc::clone(&executor))).make_default()?;
    ///
    /// smol::block_on(executor.run(async {
    ///     // A library on anyrt.
    ///     assert_eq!(anyrt::spawn(async { 7 }).await.unwrap(), 7);
    /// }));
    /// # Ok(())
    /// # }
    /// # } { fn main() {} }}
    /// ```
    pub fn make_default(self) -> Result<(), DefaultIsSet> {
        let mut is_first = false;
        let default = DEFAULT.get_or_init(|| {
            is_first = true;
            self
        });
        backend::set_default_kind(default_kind);
        let is_set = || DefaultIsSet {
            backend: default.backend(),
            name: default.name().map(str::to_owned),
        };
        if !is_first {
            return Err(is_set());
        }
        // The application may have set another default through the backend's own crate.
        match each!(&default.inner, backend, rt => backend::make_default(rt)) {
            true => Ok(()),
            false => Err(is_set()),
        }
    }

    /// Makes the runtime the current one during every poll of `future` and while it is dropped, on
    /// any executor. Each poll has the [budget](crate::task::coop) of a task.
    ///
    /// Intended for futures that a native executor runs: `smol::block_on(handle.wrap(future))`.
    ///
    /// # Examples
    /// ```
    /// # anyrt::__if_smol! {{
    /// # fn main() -> std::io::Result<()> {
    /// use anyrt::runtime::Runtime;
    ///
    /// let runtime = Runtime::new()?;
    /// // Polled by Smol, and inside our runtime in each poll.
    /// let value = smol::block_on(runtime.handle().wrap(async {
    ///     anyrt::spawn(async { 7 }).await.unwrap()
    /// }));
    /// assert_eq!(value, 7);
    /// # Ok(())
    /// # }
    /// # } { fn main() {} }}
    /// ```
    pub fn wrap<F: Future>(&self, future: F) -> Wrapped<F> {
        Wrapped {
            future: Some(future),
            runtime: self.clone(),
        }
    }
}

/// Returns the kind of the default runtime, after preparing it for use on this thread.
#[cold]
fn default_kind() -> Option<Current> {
    let default = DEFAULT.get()?;
    each!(&default.inner, backend, rt => backend::enter_default(rt));
    Some(default.kind())
}

pin_project! {
    /// The future of [`Handle::wrap`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Wrapped<F> {
        // `None` only after the drop.
        #[pin]
        future: Option<F>,
        runtime: Handle,
    }

    impl<F> PinnedDrop for Wrapped<F> {
        // What a library drops when it is cancelled may spawn.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _current = this.runtime.enter();
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for Wrapped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        // The budget of the task around it is for both.
        let is_in_task =
            core_coop::left().is_some() || ::tokio::runtime::Handle::try_current().is_ok();
        let mut future = pin!(poll_fn(|cx| {
            let _current = this.runtime.enter();
            match this.future.as_mut().as_pin_mut() {
                Some(future) => future.poll(cx),
                None => unreachable!("it is taken on drop"),
            }
        }));
        if is_in_task {
            return future.poll(cx);
        }
        // Outside of a runtime, where the budget of `sync` can be filled.
        pin!(core_coop::budgeted(coop::budgeted(future.as_mut()))).poll(cx)
    }
}

impl<F> fmt::Debug for Wrapped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wrapped")
            .field("runtime", &self.runtime)
            .finish_non_exhaustive()
    }
}

/// The process already has a default runtime; see [`Handle::make_default`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultIsSet {
    backend: Backend,
    name: Option<String>,
}

impl DefaultIsSet {
    /// Returns the backend of the default runtime.
    pub fn backend(&self) -> Backend {
        self.backend
    }
}

impl fmt::Display for DefaultIsSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the default runtime is set already: {}", self.backend)?;
        match &self.name {
            Some(name) => write!(f, ", named `{name}`"),
            None => Ok(()),
        }
    }
}

impl Error for DefaultIsSet {}
