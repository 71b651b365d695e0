/* handlers/process.h: what the kernel says about this process. */
#pragma once

struct process_numbers {
    double cpu_s, resident, virtual, fds, fds_max, threads;
};
struct process_numbers process_numbers(void); /* any thread; what cannot be read is 0 */
