/* A linked list that one process builds and another walks: what kin_alloc gives lies at the same
 * address in the whole family, so pointers into it hold in both. */
#include <kin.h>
#include <stdio.h>

struct node {
    struct node *next;
    char word[16];
};

struct list {
    struct node *first;
    struct node *last;
};

static void append(struct list *list, const char *word)
{
    struct node *node = kin_alloc(sizeof *node);
    KIN_CHECK(node != NULL ? 0 : KIN_ENOMEM);
    snprintf(node->word, sizeof node->word, "%s", word);
    *(list->last != NULL ? &list->last->next : &list->first) = node;
    list->last = node;
}

static kin_obj build(kin_obj args)
{
    static const char *const words[] = { "pointers", "hold", "in", "both" };
    struct list *list = kin_arg_shared(args, 0);
    for (int i = 0; i < 4; i++) {
        append(list, words[i]);
    }
    return kin_none();
}

static kin_obj walk(kin_obj args)
{
    const struct list *list = kin_arg_shared(args, 0);
    for (const struct node *node = list->first; node != NULL; node = node->next) {
        printf("%s\n", node->word);
    }
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    struct list *list = kin_alloc(sizeof *list);
    KIN_CHECK(list != NULL ? 0 : KIN_ENOMEM);
    kin_fn functions[] = { build, walk };
    for (int i = 0; i < 2; i++) {
        kin_auto(kin_process) child = NULL;
        KIN_CHECK(kin_start(&child, functions[i], kin_args(kin_shared(list)), NULL));
        KIN_CHECK(kin_process_join(child, KIN_FOREVER));
    }
    /* whoever likes may free it, node by node; or nobody, for it goes with the family */
    return 0;
}
