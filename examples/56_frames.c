/* Large messages without a copy: a camera draws its pictures where the queue has them, and a viewer
 * looks at them there. The queue is bounded by memory, for pictures differ in size. */
#include <kin.h>
#include <stdio.h>
#include <string.h>

enum { PICTURES = 200, MIB = 1 << 20 };

typedef struct picture {
    int number, width, height;
    unsigned char dots[];
} picture;

static kin_obj film(kin_obj args)
{
    kin_queue *queue = kin_as(kin_queue, kin_arg(args, 0));
    for (int i = 0; i < PICTURES; i++) {
        int width = 64 + i, height = 1000;
        size_t size = sizeof(picture) + (size_t)width * (size_t)height;
        void *bytes;
        KIN_TRY(kin_queue_reserve(queue, size, &bytes));
        picture *p = bytes;
        *p = (picture){ .number = i, .width = width, .height = height };
        memset(p->dots, i, (size_t)width * (size_t)height);
        KIN_TRY(kin_queue_commit(queue, p, size, KIN_FOREVER));
    }
    KIN_TRY(kin_queue_close(queue));
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_queue) queue = NULL;
    KIN_CHECK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .maxbytes = MIB)));
    KIN_CHECK(kin_start(NULL, film, kin_args(kin_shared(queue)), NULL));

    kin_message message;
    int rv, seen = 0;
    size_t dots = 0;
    for (; (rv = kin_queue_peek(queue, &message, KIN_FOREVER)) == 0; seen++) {
        const picture *p = message.bytes;
        size_t last = (size_t)p->width * (size_t)p->height - 1;
        KIN_CHECK(p->number == seen && p->dots[last] == seen % 256 ? 0 : KIN_ECORRUPT);
        dots += last + 1;
        KIN_CHECK(kin_queue_consume(queue, &message));
    }
    KIN_CHECK(rv == KIN_ECLOSED ? 0 : rv);
    printf("%d pictures of %zu dots altogether, and 1 MiB in the queue at most\n", seen, dots);
    KIN_CHECK(kin_join_children(KIN_FOREVER));
    return 0;
}
