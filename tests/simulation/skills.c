/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/skills.h"

unsigned skills_of(int grader)
{
    return grader < SKILLS_ABLE_GRADERS ? SKILLS_ALL : (unsigned)grader % (SKILLS_ALL + 1);
}

struct labels skills_labels(unsigned skills, struct label items[SKILLS_COUNT])
{
    static char names[SKILLS_COUNT][16] = {"language", "gpu"};
    static char values[SKILLS_COUNT][16] = {"c", "yes"};
    struct labels labels = {.items = items};
    for (int skill = 0; skill < SKILLS_COUNT; skill++) {
        if (skills >> skill & 1)
            items[labels.count++] = (struct label){.name = names[skill], .value = values[skill]};
    }
    return labels;
}
