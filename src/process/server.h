/* server.h - what starters (ask.c) and the fork server (server.c) say to one another. */
#ifndef KIN_PROCESS_SERVER_H
#define KIN_PROCESS_SERVER_H

#include "packet.h"

/* The descriptors of a request, in this order; what is not there is not sent, and its bit is 0. */
enum { PACKET, NEWS, DIRECTORY, CLIENT, STDIN, STDOUT, STDERR, TETHER, LIFELINE, LISTED };

typedef struct request {
    uint32_t has;      /* bits of the above, but for LISTED, which come behind */
    uint32_t n_listed; /* how many of those */
} request;

/* What comes back, on a child's own line. */
typedef enum news_kind { NEWS_STARTED = 1, NEWS_ENDED, NEWS_FAILED } news_kind;

typedef struct news {
    int32_t kind;
    int32_t pid;
    int32_t value; /* an exit code, or a code of ours */
} news;

#endif
