// What an application made for MOTIS does with its client, against the house at the address given.
// Prints one JSON object: operation -> {status, data, error}.
import * as motis from "@motis-project/motis-client";

const [baseUrl] = process.argv.slice(2);
motis.client.setConfig({ baseUrl });

const answers = {};
async function ask(name, query, operation = name) {
  const { data, error, response } = await motis[operation]({ query });
  answers[name] = { status: response.status, data, error };
  return data;
}

const time = "2026-05-20T20:00:00+09:00";
const box = { min: "35.6,139.6", max: "35.8,139.9" };

await ask("health", {});
await ask("initial", {});
const [from] = await ask("geocode", { text: "都庁前", language: ["ja", "en"], mode: ["SUBWAY"] });
const [to] = await ask("geocodeTo", { text: "竹芝" }, "geocode");
await ask("reverseGeocode", { place: `${from.lat},${from.lon}`, numResults: 3 });

const plan = await ask("plan", {
  fromPlace: from.id,
  toPlace: `${to.lat},${to.lon}`,
  time,
  transitModes: ["SUBWAY", "SUBURBAN", "REGIONAL_RAIL"],
  pedestrianProfile: "FOOT",
  useRoutedTransfers: false,
  numItineraries: 3,
  language: ["en"],
});
await ask("nextPage", { fromPlace: from.id, toPlace: to.id, time, pageCursor: plan.nextPageCursor }, "plan");
const ride = plan.itineraries[0].legs.find((leg) => leg.tripId);
await ask("trip", { tripId: ride.tripId });
await ask("stoptimes", { stopId: from.id, time, n: 10 });
await ask("stopInfo", { stopId: from.id });
await ask("oneToAll", { one: from.id, time, maxTravelTime: 30 });
await ask("oneToMany", {
  one: `${from.lat};${from.lon}`,
  many: [`${from.lat + 0.001};${from.lon}`, `${from.lat + 1};${from.lon}`],
  mode: "WALK",
  max: 1800,
  maxMatchingDistance: 250,
  arriveBy: false,
});
await ask("stops", box);
await ask("trips", { ...box, zoom: 14, startTime: time, endTime: "2026-05-20T20:02:00+09:00" });
await ask("rentals", {});
await ask("refused", { fromPlace: from.id, toPlace: to.id, passengers: 2 }, "plan");

console.log(JSON.stringify(answers));
