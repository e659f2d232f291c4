/* clock.c - timeouts as people give them, deadlines as the library keeps them. A timeout becomes
 * a deadline once, where a public call begins; so retries inside never make it longer. */
#include "room.h"

#define SECOND 1e9
#define LONGEST 4e9 /* seconds, 126 years: what is longer has no end, and nothing overflows */

int kin__deadline(double timeout, int64_t *ret_deadline)
{
    if (timeout != timeout) {
        return kin__fail(KIN_EINVAL, "timeout: not a number of seconds (NaN)");
    }
    if (timeout <= 0) {
        *ret_deadline = 0;
    } else if (timeout >= LONGEST) {
        *ret_deadline = KIN__NEVER;
    } else {
        *ret_deadline = kin__os_now() + (int64_t)(timeout * SECOND);
    }
    return 0;
}

bool kin__may_wait(int64_t deadline)
{
    return deadline != 0;
}

double kin_now(void)
{
    return (double)kin__os_now() / SECOND;
}

int kin_sleep(double seconds)
{
    int64_t deadline = 0;
    if (kin__deadline(seconds, &deadline) < 0) {
        return kin__fail(KIN_EINVAL, "kin_sleep: not a number of seconds (NaN)");
    }
    int rv = kin__os_sleep(deadline);
    return rv < 0 ? kin__fail(KIN_EINTR, "kin_sleep: interrupted") : 0;
}

int kin_cpu_count(void)
{
    return kin__os_cpu_count();
}

int kin_cpu_count_all(void)
{
    return kin__os_processors();
}
