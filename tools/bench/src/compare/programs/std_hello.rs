fn main() {
    println!("{}", std::thread::spawn(|| "Hello").join().unwrap());
}
