/* interrupt.c - ending waits from outside. All of it is in os/interrupt.c. */
#include "room.h"

int kin_interrupt(void)
{
    kin__os_interrupt();
    return 0;
}

int kin_handle_sigint(void)
{
    int rv = kin__os_handle_sigint();
    return rv < 0 ? kin__fail_os(rv, "kin_handle_sigint: cannot set a handler") : 0;
}
