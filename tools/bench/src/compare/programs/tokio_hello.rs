#[tokio::main]
async fn main() {
    println!("{}", tokio::spawn(async { "Hello" }).await.unwrap());
}
