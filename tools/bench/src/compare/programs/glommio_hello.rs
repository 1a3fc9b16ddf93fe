use glommio::{LocalExecutor, spawn_local};

fn main() {
    LocalExecutor::default().run(async {
        println!("{}", spawn_local(async { "Hello" }).await);
    });
}
