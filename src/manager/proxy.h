/* proxy.h - what a proxy is; for proxy.c, remote.c and grip.c. */
#ifndef KIN_MANAGER_PROXY_H
#define KIN_MANAGER_PROXY_H

#include "room.h"

#define KIN__PROXY_KIND 66

typedef struct kin__grip kin__grip;

typedef struct kin__proxy {
    kin__link *link;
    char *ident;      /* over there */
    char *type_id;    /* as it was asked for */
    kin_obj names;    /* of its methods, as far as they are told: a tuple or list */
    pid_t pid;        /* of the process that has the reference */
    kin__grip *grips; /* who has acquired it, of a lock: grip.c */

    /* Of those that a kin_manager_X has made: they go with their manager. */
    struct kin__proxy *next, **previous;
} kin__proxy;

/* From now on it goes with its link, if it is not freed before; all of these go. */
void kin__proxy_keep(kin__proxy *proxy);
void kin__proxies_free(kin__link *link);

/* `names` is given. The proxy has a reference over there already. */
int kin__proxy_new(kin__proxy **ret, kin__link *link, const char *type_id, const char *ident,
                   kin_obj names);
void kin__proxy_free(void *proxy);
bool kin__is_proxy(const void *thing);

/* A method: `args` is given. It may take `seconds` over there. */
int kin__proxy_ask(const kin__proxy *proxy, const char *method, kin_obj args, double seconds,
                   kin_obj *ret);

/* Over which wire this thread holds a lock (grip.c): a place to note it, before it is acquired;
 * then that it was, or was released; and before that KIN_ESTATE, once, if that wire is gone. */
int kin__grip_place(kin__proxy *proxy);
void kin__grip_note(kin__proxy *proxy, bool acquired);
int kin__grip_check(kin__proxy *proxy);
void kin__grip_free(kin__proxy *proxy);

/* Makes a thing of that type over there. */
int kin__proxy_create(kin__link *link, const char *type_id, kin_obj args, kin_obj names,
                      kin__proxy **ret);

/* What is registered there under a name, called with args. */
int kin__proxy_call_name(kin__link *link, const char *name, kin_obj args, kin_obj *ret);

#endif
