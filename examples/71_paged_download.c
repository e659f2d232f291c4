/* 2000 reposts in ten pages of a web service that takes half a second for each: one page after the
 * other, and by a pool whose workers wait side by side.
 *
 * Python: results = [pool.apply_async(timeline, kwds=dict(page=i)) for i in range(1, 11)]
 *         pool.close(); pool.join(); for r in results: reposts += r.get()["reposts"]
 */
#include "71_site.h"
#include <curl/curl.h>
#include <kin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES 10

/* The task: the ids of the reposts on a page. */
static kin_obj timeline(kin_obj args)
{
    char path[64], *text = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "/timeline?page=%d", (int)kin_as_int(kin_kwarg(args, "page")));
    int port = (int)kin_as_int(kin_kwarg(args, "port"));
    CURLcode code = fetch(port, path, open_memstream(&text, &size));

    kin_obj ids = kin_list();
    for (const char *at = text; (at = strstr(at, "\"id\": ")) != NULL; at++) {
        KIN_TRY(kin_append(&ids, kin_int(strtoll(at + strlen("\"id\": "), NULL, 10))));
    }
    free(text);
    return code == CURLE_OK ? ids : kin_error(KIN_EUSER, "%s", curl_easy_strerror(code));
}

static kin_obj page_of(int port, int page)
{
    kin_obj names = kin_dict(kin_str("port"), kin_int(port), kin_str("page"), kin_int(page));
    return kin_args_kw(kin_args(), names);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_popen) site = NULL;
    int port = start_site(&site);
    if (port == 0) {
        return 77; /* there is no nginx */
    }

    double begin = kin_now();
    size_t alone = 0, together = 0;
    kin_obj reposts;
    for (int page = 1; page <= PAGES; page++) {
        KIN_CHECK(kin_call(timeline, page_of(port, page), &reposts));
        alone += kin_len(reposts);
        kin_release(reposts);
    }
    fprintf(stderr, "serially %.2f s\n", kin_now() - begin);

    begin = kin_now();
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = PAGES)));
    kin_future *futures[PAGES];
    for (int i = 0; i < PAGES; i++) {
        KIN_CHECK(kin_pool_submit(pool, timeline, page_of(port, i + 1), NULL, &futures[i]));
    }
    for (int i = 0; i < PAGES; i++) {
        KIN_CHECK(kin_future_get(futures[i], &reposts, KIN_FOREVER));
        together += kin_len(reposts);
        kin_release(reposts);
        kin_future_free(futures[i]);
    }
    fprintf(stderr, "by a pool %.2f s\n", kin_now() - begin);
    printf("%zu reposts serially, %zu by a pool\n", alone, together);
    return 0;
}
