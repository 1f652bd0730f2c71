/* SPDX-License-Identifier: Apache-2.0 */
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;

import org.junit.Test;

public final class TriangleTest {
    @Test
    public void threeEqualSidesAreEquilateral() {
        assertEquals("equilateral", Triangle.kind(3, 3, 3));
    }

    @Test
    public void twoEqualSidesAreIsosceles() {
        assertEquals("isosceles", Triangle.kind(3, 5, 3));
    }

    @Test
    public void noEqualSidesAreScalene() {
        assertEquals("scalene", Triangle.kind(3, 4, 5));
    }

    @Test
    public void sidesThatDoNotMeetAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> Triangle.kind(1, 1, 5));
    }
}
