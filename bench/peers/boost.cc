// boost.cc - Boost.Interprocess' message_queue. Its name is gone before anybody uses it; the team
// has inherited the memory.
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <string>
#include <unistd.h>

#include "peer.h"

namespace
{

namespace ipc = boost::interprocess;

struct held {
    ipc::message_queue queue;
    ipc::offset_t bytes;
};

void *open_it(const peer_shape *shape, const char **ret_note)
{
    static std::string note;
    const std::string name = "kin_bench_" + std::to_string(getpid());
    try {
        auto *h = new held{ { ipc::create_only, name.c_str(), shape->bound, shape->size }, 0 };
        ipc::shared_memory_object(ipc::open_only, name.c_str(), ipc::read_only).get_size(h->bytes);
        ipc::message_queue::remove(name.c_str());
        return h;
    } catch (const std::exception &e) {
        note = e.what();
        *ret_note = note.c_str();
        return nullptr;
    }
}

void put(void *queue, const void *message, std::size_t size)
{
    static_cast<held *>(queue)->queue.send(message, size, 0);
}

void get(void *queue, void *message, std::size_t size)
{
    ipc::message_queue::size_type got;
    unsigned priority;
    static_cast<held *>(queue)->queue.receive(message, size, got, priority);
    if (got != size) {
        std::abort();
    }
}

void close_it(void *queue)
{
    delete static_cast<held *>(queue);
}

std::uint64_t memory(void *queue)
{
    return static_cast<std::uint64_t>(static_cast<held *>(queue)->bytes);
}

} // namespace

extern const peer peer_boost = { "Boost", open_it, nullptr, put, get, close_it, memory };
