//! The cases of the contract that are not simulated, each with the reason. All others must pass.

type Table = &'static [(&'static str, &'static str)];

const TWO_WORKERS: &str = "needs two workers, and a simulation runs one task at a time";
const SYSTEM_SOCKET: &str = "its subject is a socket of the operating system";
const SYSTEM_PEERS: &str = "its peers would have to reach the loopback of the operating system";
const PEERS_END: &str = "its peers would have to outlive the simulation";
const TWO_WORLDS: &str = "two simulations have no network in common";

const BESIDE: &str = "a thread has to run beside the simulation";
const PLAIN: &str = "needs a thread that does not belong to the simulation";
const HELD_JOB: &str = "a blocking job waits, and in lock step nothing runs meanwhile";
const HELD_TASK: &str = "a task blocks its thread, and in lock step nothing runs meanwhile";
const KEPT_JOBS: &str = "the threads of blocking jobs are kept until the simulation ends";
const NOT_DRIVEN: &str = "blocking jobs have to run although nobody is inside `block_on`";

/// Of closed and of open simulations.
pub(crate) const ALWAYS: Table = &[
    (
        "task::blocked_tasks_do_not_keep_the_other_worker_from_its_tasks",
        TWO_WORKERS,
    ),
    (
        "task::cpu_bound_tasks_run_on_two_workers_at_once",
        TWO_WORKERS,
    ),
    (
        "shutdown::dropping_the_owner_inside_its_own_task_panics_and_names_shutdown_background",
        TWO_WORKERS,
    ),
    (
        "shutdown::dropping_the_owner_waits_for_a_task_that_is_inside_a_poll",
        TWO_WORKERS,
    ),
    ("build::more_workers_than_cores_are_fine", TWO_WORKERS),
    ("build::pinned_workers_stay_on_one_core", TWO_WORKERS),
    (
        "fairness::a_worker_that_blocks_stops_no_socket_while_others_are_idle",
        TWO_WORKERS,
    ),
    (
        "fairness::a_worker_that_blocks_stops_no_timer_while_others_are_idle",
        TWO_WORKERS,
    ),
    ("listener::nobody_can_share_the_port", SYSTEM_SOCKET),
    ("moving::a_stream_of_std_can_be_taken_over", SYSTEM_SOCKET),
    ("moving::a_listener_of_std_can_be_taken_over", SYSTEM_PEERS),
    (
        "moving::a_datagram_socket_of_std_can_be_taken_over",
        SYSTEM_PEERS,
    ),
    (
        "udp::a_flood_through_a_small_send_buffer_arrives_as_it_was_sent",
        SYSTEM_PEERS,
    ),
    ("moving::peers_see_the_end_when_the_runtime_ends", PEERS_END),
    (
        "moving::a_socket_whose_runtime_has_ended_waits_for_nothing",
        PEERS_END,
    ),
    (
        "moving::a_stream_of_one_runtime_works_in_another",
        TWO_WORLDS,
    ),
];

/// Of closed simulations; open ones run them.
pub(crate) const CLOSED: Table = &[
    (
        "blocking::threads_that_are_idle_longer_than_keep_alive_are_replaced",
        KEPT_JOBS,
    ),
    ("task::another_runtime_can_join", BESIDE),
    ("local::local_tasks_of_two_threads_stay_apart", BESIDE),
    ("nesting::four_threads_block_on_one_runtime_at_once", BESIDE),
    (
        "nesting::four_threads_that_block_on_one_runtime_share_its_timers",
        BESIDE,
    ),
    (
        "nesting::the_thread_that_drives_may_leave_before_the_others",
        BESIDE,
    ),
    ("nesting::two_runtimes_run_on_two_threads_and_talk", BESIDE),
    ("channel::a_channel_joins_two_runtimes", BESIDE),
    (
        "moving::who_waits_for_a_socket_when_its_runtime_ends_is_told",
        BESIDE,
    ),
    ("context::a_plain_thread_sees_none", PLAIN),
    (
        "abort::aborting_a_running_task_ends_it_at_its_next_await",
        HELD_TASK,
    ),
    (
        "abort::aborting_in_the_last_poll_keeps_the_value",
        HELD_TASK,
    ),
    (
        "abort::is_finished_is_false_while_the_abort_is_only_asked_for",
        HELD_TASK,
    ),
    (
        "abort::an_aborted_task_ends_after_its_destructor_ran",
        HELD_TASK,
    ),
    (
        "panic::a_panic_in_a_poll_while_aborting_is_an_error",
        HELD_TASK,
    ),
    (
        "blocking::a_blocked_job_does_not_hold_up_tasks_or_timers",
        HELD_JOB,
    ),
    ("blocking::a_hundred_jobs_run_at_the_same_time", HELD_JOB),
    ("blocking::a_job_can_spawn_tasks", HELD_JOB),
    ("blocking::a_job_can_start_jobs", HELD_JOB),
    ("blocking::aborting_a_queued_job_cancels_it", HELD_JOB),
    ("blocking::aborting_a_running_job_has_no_effect", HELD_JOB),
    ("blocking::more_jobs_than_threads_wait_in_order", HELD_JOB),
    ("dns::a_dropped_resolution_does_no_harm", HELD_JOB),
    ("dns::literals_need_no_resolution", HELD_JOB),
    ("dns::tasks_go_on_while_a_name_is_resolved", HELD_JOB),
    (
        "blocking::a_job_can_be_started_from_a_plain_thread",
        NOT_DRIVEN,
    ),
    (
        "build::the_stack_size_is_that_of_workers_and_blocking_threads",
        NOT_DRIVEN,
    ),
    (
        "build::the_thread_name_is_that_of_workers_and_blocking_threads",
        NOT_DRIVEN,
    ),
    (
        "shutdown::a_queued_blocking_job_runs_although_shutdown_timeout_gave_up_waiting",
        NOT_DRIVEN,
    ),
    (
        "shutdown::dropping_the_owner_waits_for_a_blocking_job_behind_a_busy_thread",
        NOT_DRIVEN,
    ),
    (
        "shutdown::dropping_the_owner_waits_for_a_running_blocking_job",
        NOT_DRIVEN,
    ),
    (
        "shutdown::shutdown_background_does_not_wait_for_a_job",
        NOT_DRIVEN,
    ),
    (
        "ended::a_runtime_ends_while_it_is_current_on_a_thread",
        NOT_DRIVEN,
    ),
    (
        "shutdown::shutdown_timeout_does_not_wait_for_a_long_job",
        NOT_DRIVEN,
    ),
    (
        "shutdown::shutdown_timeout_of_duration_max_waits",
        NOT_DRIVEN,
    ),
    (
        "shutdown::shutdown_timeout_waits_for_a_job_that_ends_in_time",
        NOT_DRIVEN,
    ),
];
