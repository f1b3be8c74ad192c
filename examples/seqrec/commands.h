/* seqrec tool: the commands; each gets the arguments behind its name and returns the exit code. */
#ifndef SEQREC_TOOL_COMMANDS_H
#define SEQREC_TOOL_COMMANDS_H
#include "arguments.h"

int run_train(int argc, char **argv);
int run_evaluate(int argc, char **argv);
int run_compare(int argc, char **argv);
int run_recommend(int argc, char **argv);
int run_decode(int argc, char **argv);
int run_synth(int argc, char **argv);
int run_stats(int argc, char **argv);
int run_options(int argc, char **argv);
int run_export(int argc, char **argv);
int run_import(int argc, char **argv);
int run_index(int argc, char **argv);
int run_tune(int argc, char **argv);
int run_find_rate(int argc, char **argv);
int run_curve(int argc, char **argv);
int run_bench(int argc, char **argv);
#endif
