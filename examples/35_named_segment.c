/* Memory for a program that is no relative: it finds the segment by its name. Here that is a
 * Python, which reads a list of ours, and answers in it.
 *
 * A Python process unlinks what it has opened when it ends, unless it is told not to (see
 * kin/share.h). Here it may: the name is not needed any more.
 */
#include <kin.h>
#include <stdio.h>

static const char reader[] = "import sys\n"
                             "from multiprocessing.shared_memory import ShareableList\n"
                             "items = ShareableList(name=sys.argv[1])\n"
                             "items[3] = sum(items[i] for i in range(3))\n"
                             "items.shm.close()\n";

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_shareable_list) list = NULL;
    kin_obj items = kin_list(kin_int(1), kin_int(20), kin_float(0.5), kin_none());
    KIN_CHECK(kin_shareable_list_new(&list, items, NULL));
    kin_shm *shm = kin_shareable_list_shm(list);
    KIN_CHECK(kin_shm_unlink_at_exit(shm, true)); /* however we end */

    const char *const python[] = {
        "python3", "-W", "ignore", "-c", reader, kin_shm_name(shm), NULL
    };
    int rv = kin_run(python, KIN_OPT(kin_run_options, .check = true, .err = KIN_DEVNULL), NULL);
    if (rv == KIN_ENOENT) { /* there is none: we add up ourselves */
        KIN_CHECK(kin_shareable_list_set(list, 3, kin_float(21.5)));
    } else {
        KIN_CHECK(rv);
    }
    kin_obj sum;
    KIN_CHECK(kin_shareable_list_get(list, 3, &sum));
    printf("the sum is ");
    kin_print(sum);
    return 0;
}
