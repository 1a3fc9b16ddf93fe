# The labels of the pictures in Chinese, applied by scripts/draw. Terms as in CONTRIBUTING's glossary.
s/crates that need Tokio/依赖 Tokio 的 crate/g
s/axum, tonic, sqlx, …/axum、tonic、sqlx……/g
s/your application/你的应用/g
s/a library for any runtime/不限运行时的库/g
s/Tokio's name, by \[patch\]/以 [patch] 取代 Tokio/g
s/the facade: Tokio's items/facade（门面）：Tokio 的各项/g
s/the simulator"/模拟器"/g
s/sockets and timers over async-io/基于 async-io 的 socket 与定时器/g
s/tasks, blocking pool, timers, files/任务、阻塞线程池、定时器、文件/g
s/the contract: traits, errors, budget/约定：trait、错误、预算/g
s/the contract as tests/写成测试的约定/g
s/spawn on another thread/在其他线程上 spawn/g
s/spawn in a task/在任务中 spawn/g
s/its own worker/自己的 worker/g
s/injection queue/注入队列/g
s/thread \([123]\)\\n/线程 \1\\n/g
s/local queue each/各有本地队列/g
s/local queue/本地队列/g
s/driver: epoll, kqueue or IOCP, and the timer wheel/driver：epoll、kqueue 或 IOCP，以及时间轮/g
s/one idle worker waits here/一个空闲 worker 在此等待/g
s/one idle thread waits here/一个空闲线程在此等待/g
s/if none does/没有空闲线程时/g
s/thread \\"async-io\\"/线程 \\"async-io\\"/g
s/Tokio's blocking pool/Tokio 的阻塞线程池/g
s/anyrt's blocking pool/anyrt 的阻塞线程池/g
s/spawn_blocking, files/spawn_blocking、文件/g
s/spawn_blocking, other files/spawn_blocking、其他文件/g
s/"steal"/"窃取"/g
s/"spawn, wake"/"spawn、唤醒"/g
s/"a runtime of anyrt"/"anyrt 的运行时"/g
s/"a runtime"/"一个运行时"/g
s/"the process"/"进程"/g
s/async-executor: shared queue/async-executor：共享队列/g
s/async-io: epoll, kqueue or IOCP, and timers/async-io：epoll、kqueue 或 IOCP，以及定时器/g
s/threads in async_std::task::block_on\\na/async_std::task::block_on 中的线程\\n/g
s/async-std's own executor\\nand its threads/async-std 自己的执行器\\n及其线程/g
s/spawn: the emptier of two shards/spawn：两个 shard 中较空的一个/g
s/shard \([12]\): a thread/shard \1：一个线程/g
s/anyrt's driver\\ntasks, timers/anyrt 的 driver\\n任务、定时器/g
s/sockets, doorbell/socket、门铃/g
s/long waits, files for reading/长时间的等待、只读文件/g
s/"wake"/"唤醒"/g
s/"the seed"/"种子"/g
s/schedule\\nwhich ready task is next/调度\\n下一个是哪个就绪任务/g
s/network\\nlatency, loss, order/网络\\n延迟、丢失、顺序/g
s/faults\\ncrashes, partitions, clocks/故障\\n崩溃、分区、时钟/g
s/one task runs at a time/每次只运行一个任务/g
s/node \(\\"[^"\\]*\\"\)\\ntasks, sockets, wall clock/节点 \1\\n任务、socket、系统时钟/g
s/"packets"/"数据包"/g
s/virtual time: when no task is ready, it jumps to the next timer or packet/虚拟时间：没有就绪的任务时，跳到下一个定时器或数据包/g
