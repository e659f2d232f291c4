/* The pictures on some pages of a web site: a page is a task, and how many pictures there are is
 * counted in memory that the workers share.
 *
 * Python: pool.apply_async(self.download_page, args=(i,)), where self.count += 1 happens to a copy
 * of self, in a worker, and is lost
 */
#include "71_site.h"
#include <curl/curl.h>
#include <kin.h>
#include <regex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct pictures {
    char folder[32];
    int port;
    atomic_int count;
};

/* The task: loads a page, and each picture on it into a file of the folder. */
static kin_obj download_page(kin_obj args)
{
    struct pictures *self = kin_arg_shared(args, 0);
    char path[64], name[64], *page = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "/photos?page=%d", (int)kin_arg_int(args, 1));
    CURLcode code = fetch(self->port, path, open_memstream(&page, &size));

    regex_t pattern;
    regmatch_t found[2];
    regcomp(&pattern, "<div class=\"item\"><img src=\"([^\"]*)\"", REG_EXTENDED);
    for (char *at = page; regexec(&pattern, at, 2, found, 0) == 0; at += found[0].rm_eo) {
        int length = (int)(found[1].rm_eo - found[1].rm_so);
        snprintf(path, sizeof path, "%.*s", length, at + found[1].rm_so);
        snprintf(name, sizeof name, "%s/%d.jpg", self->folder, atomic_fetch_add(&self->count, 1));
        code = code == CURLE_OK ? fetch(self->port, path, fopen(name, "wb")) : code;
    }
    regfree(&pattern);
    free(page);
    return code == CURLE_OK ? kin_none() : kin_error(KIN_EUSER, "%s", curl_easy_strerror(code));
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_popen) site = NULL;
    struct pictures *self = kin_alloc(sizeof *self);
    *self = (struct pictures){ .folder = "/tmp/kin-pictures-XXXXXX", .port = start_site(&site) };
    if (self->port == 0 || mkdtemp(self->folder) == NULL) {
        return 77; /* there is no nginx */
    }
    int pages;
    fprintf(stderr, "The pictures of how many pages (1 to 10)? ");
    if (scanf("%d", &pages) != 1) {
        pages = 5;
    }

    double begin = kin_now();
    for (int page = 1; page <= pages; page++) {
        KIN_CHECK(kin_call(download_page, kin_args(kin_shared(self), kin_int(page)), NULL));
    }
    fprintf(stderr, "serially %.2f s\n", kin_now() - begin);

    begin = kin_now();
    kin_obj tasks = kin_list(), results;
    for (int page = 1; page <= pages; page++) {
        KIN_CHECK(kin_append(&tasks, kin_tuple(kin_shared(self), kin_int(page))));
    }
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = (unsigned)pages)));
    const kin_map_options *each = KIN_OPT(kin_map_options, .star = true, .chunksize = 1);
    KIN_CHECK(kin_pool_map(pool, download_page, tasks, each, &results));
    kin_release(results);
    fprintf(stderr, "by a pool %.2f s\n", kin_now() - begin);
    printf("%d pictures, each of them twice\n", atomic_load(&self->count));
    KIN_CHECK(kin_run((const char *[]){ "rm", "-r", self->folder, NULL }, NULL, NULL));
    kin_free(self);
    return 0;
}
