/* install: the header in C++17, with handles owned by smart pointers. */
#include <seqrec.h>
#include <memory>
#include <string>

struct release_config {
    void operator()(seqrec_config *config) const
    {
        seqrec_config_release(config);
    }
};

int main()
{
    seqrec_config *raw = nullptr;
    seqrec_error error{};
    if (seqrec_config_create(nullptr, &raw, &error) != SEQREC_OK) return 1;
    std::unique_ptr<seqrec_config, release_config> config(raw);
    if (seqrec_config_set(config.get(), "dim", "48", &error) != SEQREC_OK) return 1;
    std::string dim(32, '\0');
    size_t needed = 0;
    if (seqrec_config_get(config.get(), "dim", &dim[0], dim.size(), &needed, &error) != SEQREC_OK) return 1;
    return dim.compare(0, needed, std::string("48") + '\0') == 0 ? 0 : 1;
}
