/* unit: operator new that fails at the n-th request, for all of the program. */
#include "failing_new.h"
#include <atomic>
#include <cstdlib>
#include <new>

static std::atomic<int64_t> left{-1}, requests{0}, blocks{0};
static std::atomic<int32_t> reached{0};

void failing_new_after(int64_t more)
{
    reached = 0;
    left = more;
}

int32_t failing_new_reached(void)
{
    return reached;
}

int64_t failing_new_requests(void)
{
    return requests;
}

int64_t failing_new_blocks(void)
{
    return blocks;
}

static void *take(std::size_t bytes)
{
    requests++;
    if (left >= 0 && left-- == 0) {
        reached = 1;
        return nullptr;
    }
    void *block = std::malloc(bytes > 0 ? bytes : 1);
    if (block != nullptr) blocks++;
    return block;
}

static void give(void *block)
{
    if (block != nullptr) blocks--;
    std::free(block);
}

void *operator new(std::size_t bytes)
{
    void *block = take(bytes);
    if (block == nullptr) throw std::bad_alloc();
    return block;
}

void *operator new[](std::size_t bytes)
{
    return operator new(bytes);
}

void operator delete(void *block) noexcept
{
    give(block);
}

void operator delete[](void *block) noexcept
{
    give(block);
}

void operator delete(void *block, std::size_t) noexcept
{
    give(block);
}

void operator delete[](void *block, std::size_t) noexcept
{
    give(block);
}
