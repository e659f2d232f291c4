/* A picture, computed on all cores into memory that the family shares: no messages are sent. Its
 * lines cost very different amounts of time, so whoever is free takes the next ones. */
#include <kin.h>
#include <stdio.h>

enum { WIDTH = 64, HEIGHT = 24, DEEPEST = 5000 };

struct picture {
    unsigned short depth[HEIGHT][WIDTH];
};

static unsigned short depth_of(double re, double im)
{
    double x = 0, y = 0;
    unsigned short n = 0;
    for (; n < DEEPEST && x * x + y * y <= 4; n++) {
        double next = x * x - y * y + re;
        y = 2 * x * y + im;
        x = next;
    }
    return n;
}

static void draw_line(size_t row, void *ctx)
{
    struct picture *picture = ctx;
    long *inside = kin_for_part(); /* what this worker has counted */
    for (size_t col = 0; col < WIDTH; col++) {
        double re = -2.1 + 2.8 * (double)col / WIDTH;
        unsigned short n = depth_of(re, -1.15 + 2.3 * (double)row / HEIGHT);
        picture->depth[row][col] = n;
        *inside += n == DEEPEST;
    }
}

static void add(void *into, const void *part)
{
    *(long *)into += *(const long *)part;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, NULL));
    struct picture *picture = kin_alloc(sizeof *picture);

    long inside = 0;
    const kin_for_options *options =
        KIN_OPT(kin_for_options, .result = &inside, .result_size = sizeof inside, .combine = add);
    KIN_CHECK(kin_pool_for(pool, 0, HEIGHT, draw_line, picture, options));

    for (int row = 0; row < HEIGHT; row++) {
        for (int col = 0; col < WIDTH; col++) {
            int n = picture->depth[row][col];
            putchar(n == DEEPEST ? '#' : n > 12 ? '+' : n > 5 ? ':' : '.');
        }
        putchar('\n');
    }
    printf("%ld points are inside\n", inside);
    kin_free(picture);
    return 0;
}
