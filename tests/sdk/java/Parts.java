import io.littlehorse.sdk.common.LHLibUtil;
import io.littlehorse.sdk.common.proto.*;
import io.littlehorse.sdk.wfsdk.*;
import io.littlehorse.sdk.worker.*;
import java.util.List;
import java.util.Map;

/** Structs that go through a worker and are read field by field; child workflows with inputs and results. */
public class Parts extends Kit {
    @LHStructDef("address-${tag}")
    public static class Address {
        private String street;
        private long number;

        public String getStreet() { return street; }
        public void setStreet(String street) { this.street = street; }
        public long getNumber() { return number; }
        public void setNumber(long number) { this.number = number; }
    }

    @LHStructDef("person-${tag}")
    public static class Person {
        private String name;
        private Address home;
        private long parcels;

        public String getName() { return name; }
        public void setName(String name) { this.name = name; }
        public Address getHome() { return home; }
        public void setHome(Address home) { this.home = home; }
        public long getParcels() { return parcels; }
        public void setParcels(long parcels) { this.parcels = parcels; }
    }

    public static class Post {
        @LHTaskMethod("deliver-${tag}")
        public Person deliver(Person to) {
            to.setParcels(to.getParcels() + 1);
            to.setName(to.getName().toUpperCase());
            return to;
        }
    }

    static void parcel(WorkflowThread wf) {
        WfRunVariable person = wf.declareStruct("person", Person.class).required();
        WfRunVariable street = wf.declareStr("street");
        WfRunVariable many = wf.declareBool("many").withDefault(false);
        person.assign(wf.execute(named("deliver"), person));
        street.assign(person.get("home").get("street"));
        wf.doIf(person.get("parcels").isGreaterThan(2), then -> many.assign(true));
        wf.complete(person.get("parcels"));
    }

    static void postman(WorkflowThread wf) {
        WfRunVariable ann = wf.declareStruct("ann", Person.class).required();
        WfRunVariable eva = wf.declareStruct("eva", Person.class).required();
        WfRunVariable total = wf.declareInt("total").withDefault(0);
        SpawnedChildWf first = wf.runWf(named("parcel"), Map.of("person", ann));
        SpawnedChildWf second = wf.runWf(named("parcel"), Map.of("person", eva));
        total.assign(total.add(wf.waitForChildWf(first)));
        total.assign(total.add(wf.waitForChildWf(second)));
    }

    static void account(WorkflowThread wf) {
        wf.declareInt("balance").withDefault(100).asPublic();
        wf.waitForEvent(named("close")).registeredAs(null);
    }

    static void withdrawal(WorkflowThread wf) {
        WfRunVariable balance = wf.declareInt("balance").asInherited();
        WfRunVariable amount = wf.declareInt("amount").required();
        balance.assign(balance.subtract(amount));
    }

    public static void main(String[] arguments) {
        run(Parts::program);
    }

    static void program() throws Exception {
        LHTaskWorker definitions = new LHTaskWorker(new Post(), "deliver-${tag}", config, PLACEHOLDERS);
        for (Class<?> struct : List.of(Address.class, Person.class)) {
            definitions.registerStructDef(struct, StructDefCompatibilityType.NO_SCHEMA_UPDATES);
            String name = named(struct.getSimpleName().toLowerCase());
            until(name, true, () -> client.searchStructDef(SearchStructDefRequest.newBuilder().setPrefix(name).build())
                    .getResultsCount() == 1);
        }
        work(new Post(), "deliver");
        register("parcel", Parts::parcel);

        WfRunId parent = start(register("postman", Parts::postman),
                "ann", person("Ann", "Hill", 0), "eva", person("Eva", "Canal", 2));
        ended(parent, LHStatus.COMPLETED);
        equal("parcels", List.of(4L), variables(parent, "total"));
        equal("nodes",
                List.of("ENTRYPOINT", "RUN_CHILD_WF", "RUN_CHILD_WF", "WAIT_FOR_CHILD_WF", "WAIT_FOR_CHILD_WF", "EXIT"),
                kinds(parent));
        SearchWfRunRequest below = SearchWfRunRequest.newBuilder().setParentWfRunId(parent).build();
        List<WfRunId> children = client.searchWfRun(below).getResultsList();
        equal("its children", 2, children.size());
        for (WfRunId child : children) {
            ended(child, LHStatus.COMPLETED);
            Person person = (Person) LHLibUtil.varValToObj(
                    variable(child, "person"), Person.class, config.getTypeAdapterRegistry(), PLACEHOLDERS);
            boolean eva = person.getName().equals("EVA");
            equal("the street", eva ? "Canal" : "Hill", person.getHome().getStreet());
            equal("its parts", List.of(eva ? "Canal" : "Hill", eva), variables(child, "street", "many"));
        }

        WfRunId account = start(register("account", Parts::account));
        register("withdrawal", Parts::withdrawal, named("account"));
        for (int amount : List.of(30, 25)) {
            ended(client.runWf(RunWfRequest.newBuilder().setWfSpecName(named("withdrawal")).setParentWfRunId(account)
                    .putVariables("amount", value(amount)).build()).getId(), LHStatus.COMPLETED);
        }
        equal("what is left", List.of(45L), variables(account, "balance"));
        client.putExternalEvent(PutExternalEventRequest.newBuilder().setWfRunId(account)
                .setExternalEventDefId(ExternalEventDefId.newBuilder().setName(named("close"))).build());
        ended(account, LHStatus.COMPLETED);
    }

    static VariableValue person(String name, String street, long parcels) {
        Person person = new Person();
        person.setName(name);
        person.setParcels(parcels);
        person.setHome(new Address());
        person.getHome().setStreet(street);
        person.getHome().setNumber(7);
        return VariableValue.newBuilder()
                .setStruct(LHLibUtil.serializeToStruct(person, config.getTypeAdapterRegistry(), PLACEHOLDERS)).build();
    }
}
