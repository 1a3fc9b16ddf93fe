#[anyrt::main]
async fn main() {
    println!("{}", anyrt::spawn(async { "Hello" }).await.unwrap());
}
