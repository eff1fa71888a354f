/** 90s, 30m, 2h, 7d → milliseconds. @throws Error for anything else */
export function duration(text: string): number {
  const [, number, unit] = /^([1-9]\d{0,5})\s*([smhd])$/.exec(text.trim()) ?? [];
  if (number === undefined) throw new Error(`"${text}" is no duration; write it as 90s, 30m, 2h or 7d`);
  return Number(number) * { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit as "s" | "m" | "h" | "d"];
}
