/* The clock of a server, ahead or behind by what a file says: eight bytes, in microseconds.
 *
 * Preloaded into the server. libfaketime does not fake the clock of background workers: Postgres 15 forks them in a
 * signal handler within select(), and while select() runs libfaketime fakes nothing, in the new process for ever.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CLOCK_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    if (map != MAP_FAILED)
        ahead = map;
    if (file >= 0)
        close(file);
}

static void shift(int64_t *seconds, int64_t *fraction, int64_t of_a_second) {
    int64_t by = ahead ? *ahead : 0;
    *seconds += by / 1000000;
    *fraction += by % 1000000 * (of_a_second / 1000000);
    if (*fraction < 0) {
        *fraction += of_a_second;
        *seconds -= 1;
    } else if (*fraction >= of_a_second) {
        *fraction -= of_a_second;
        *seconds += 1;
    }
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t seconds = now->tv_sec, fraction = now->tv_nsec;
        shift(&seconds, &fraction, 1000000000);
        now->tv_sec = seconds;
        now->tv_nsec = fraction;
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0)
        return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (where)
        *where = precise.tv_sec;
    return precise.tv_sec;
}
