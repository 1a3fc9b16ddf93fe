fn main() {
    smol::block_on(async {
        println!("{}", smol::spawn(async { "Hello" }).await);
    });
}
